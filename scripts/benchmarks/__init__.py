"""Our server and its peers, measured side by side in one run.

`command` has the options, `rounds` the order of work, `peers` how each server is started,
`processes` starting, stopping and weighing them, `loads` the measurements, `client` those clients
that run as processes of their own, `makers` what makes a certificate and ends, `figures` what is
measured and aimed at, `table` and `picture` what comes out.
"""
