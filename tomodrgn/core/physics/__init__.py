"""What the microscope and the beam do to an image: CTF, dose, window, transfer."""
