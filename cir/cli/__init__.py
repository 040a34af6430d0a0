"""The command line of `cir`: the one room of the library that prints and knows flags."""
