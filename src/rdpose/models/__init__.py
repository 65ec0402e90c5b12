"""Networks: backbones, decoupling, and the whole pose network."""
