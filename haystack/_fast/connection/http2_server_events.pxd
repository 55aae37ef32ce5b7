# What nghttp2 tells of a client's connection, and asks for.
from haystack._fast.connection.http2_server cimport Http2Server
from haystack._fast.http2.nghttp2 cimport nghttp2_data_source_read_callback, nghttp2_session

cdef nghttp2_data_source_read_callback reader() noexcept
cdef nghttp2_session *open_session(Http2Server connection) except NULL
