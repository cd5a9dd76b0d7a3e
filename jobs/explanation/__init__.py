"""Why two records are one person or are not: what is read, what follows from it, and how it is told."""
