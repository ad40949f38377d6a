"""The networks, the layers they need beyond Keras, and the loss they are trained with."""
