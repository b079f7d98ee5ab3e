"""Building blocks of encoders and decoders, and the volume model that joins them."""
