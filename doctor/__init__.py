"""Why something is not ready: doctor, status and logs. Also reached as `python -m predict doctor`."""
