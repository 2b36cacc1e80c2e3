"""Formats, one a file, each read into CSR rows; the table of them is in `sstrain.data`."""
