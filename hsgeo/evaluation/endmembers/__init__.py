"""The endmember benchmark: spectra before and after a stage that makes them again, under noise."""
