"""The quality report: what is known of a data set before anybody trains on it."""
