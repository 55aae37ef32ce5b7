"""Who is in and who is out."""
