"""The language of instructions: words, sentences and slips of the keyboard."""
