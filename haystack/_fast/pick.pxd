# The table of pickers. The exchange calls the picker of its route: route.picker.pick(key, tried, tries).
from haystack._fast.cells cimport Member, Picker, Route
