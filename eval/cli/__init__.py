"""The command line of `eval`: the one room of the bench that prints and knows flags."""
