"""Files as programs exchange them: atomic writing, MRC, STAR, pickles and index lists."""
