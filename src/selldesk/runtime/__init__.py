"""The market's processes: what each of them is built of, who starts it, and who starts it again."""
