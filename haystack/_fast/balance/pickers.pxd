# The table of pickers. The exchange calls the picker of its route: route.picker.pick(key, tried, tries).
from haystack._fast.endpoint.endpoint cimport Member, Picker, Route
