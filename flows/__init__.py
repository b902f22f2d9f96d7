"""What runs, in which order, where: Prefect flows, recipes, the command line. No data logic."""
