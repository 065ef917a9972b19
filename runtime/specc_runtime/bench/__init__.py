"""How fast a detector trains, finds and is fed, and how torchvision's does beside it."""
