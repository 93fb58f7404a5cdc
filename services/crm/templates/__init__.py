"""Templates of mails: cleaned and compiled once, rendered for each recipient by nothing but joining."""
