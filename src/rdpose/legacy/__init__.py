"""The HRNet family's files: settings (YAML, `KEY value`) and weights, translated; nothing else knows their names."""
