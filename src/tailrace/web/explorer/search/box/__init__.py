"""The query box: plain words, suggestions, repairs of mistakes, layout, the range, and what people asked before."""
