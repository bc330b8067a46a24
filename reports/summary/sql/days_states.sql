-- How many states the site holds, as of the summary of topics.
SELECT sum(arraySum(clients)) FROM subject_now FINAL
