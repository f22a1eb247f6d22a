"""Studies of the scores themselves: scored again, held against labels, made of conversations from elsewhere."""
