"""What runs because there is a cluster: process 1 of the two kinds of pods, and the verbs that look at a cluster."""
