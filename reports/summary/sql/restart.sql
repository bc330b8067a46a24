-- A summary that counts for nothing.
INSERT INTO summary_progress (job, number, until)
SELECT {job:String}, (SELECT max(number) FROM summary_progress WHERE job = {job:String}) + 1,
    fromUnixTimestamp64Milli(0, 'UTC')
