"""Classical unmixing: endmember counting and extraction, abundance estimation."""
