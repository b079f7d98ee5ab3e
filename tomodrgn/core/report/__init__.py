"""One HTML file that shows an analysis in any browser, without a network."""
