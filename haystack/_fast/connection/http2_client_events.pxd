# What nghttp2 tells of a connection to an endpoint.
from haystack._fast.connection.http2_client cimport Http2Client
from haystack._fast.http2.nghttp2 cimport nghttp2_data_source_read_callback, nghttp2_session

cdef nghttp2_session *open_session(Http2Client connection) except NULL
cdef nghttp2_data_source_read_callback reader() noexcept
