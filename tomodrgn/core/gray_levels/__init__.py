"""Gray levels of images: what their margins tell, and how they are brought to one scale."""
