"""Pictures: arrays in, a picture file out. The one room of core that draws."""
