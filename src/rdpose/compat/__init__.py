"""The HRNet family's settings (YAML, `KEY value`) and commands, translated."""
