"""What clients notice while containers come and go: Haystack on a real engine, beside HAProxy and nginx."""
