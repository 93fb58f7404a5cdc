"""Workflows: what is done with a contact, step by step. Of what the canvas draws (`flow`) a graph is made (`compile`,
`checks`), a run of it is walked (`walk`), and what a walk brings about is committed at once (`engine`)."""
