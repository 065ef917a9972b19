"""How fast a detector trains, detects and loads data, also compared with torchvision's."""
