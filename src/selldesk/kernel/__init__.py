"""Words that every room speaks: money, time, ids, refusals, limits. Imports nothing of ours."""
