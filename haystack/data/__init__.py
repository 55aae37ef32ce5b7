"""Facts from elsewhere: IANA's names of ports."""
