"""What models run on, one ComponentResource a file. Models do not belong here."""
