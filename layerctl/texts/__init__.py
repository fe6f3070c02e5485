"""What photos show, in words and as the network reads them."""
