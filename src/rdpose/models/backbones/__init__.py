"""Networks from a picture to a feature map."""
