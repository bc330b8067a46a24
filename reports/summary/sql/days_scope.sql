-- How many clients the site had at the end of each day.
SELECT d, count() FROM standing GROUP BY d
