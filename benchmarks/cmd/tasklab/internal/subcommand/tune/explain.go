package tune

// explanation is the part of the help about objectives and results.
const explanation = `
An objective compares a quantity with a bound, by <= or >=:
  p99 wait <= 200ms           99% of the tasks start within 200 ms
  p95 sojourn of a <= 1s      95% of the tasks with the key a end within 1 s
  late of "key with spaces" <= 1%
Quantities, and their bounds:
  mean, max, p50, p95, p99 or any other percentile of
    wait      from the arrival to the first execution; a duration
    run       an execution; a duration
    sojourn   from the arrival to the end; a duration
    slowdown  sojourn divided by the service time; a number
  shed, dropped, failed, late
              tasks given up by the queue or because it was full, that failed, or that
              missed their deadlines; a number, or a percentage of the tasks
  jain        Jain's fairness index over the keys; a number from 0 to 1
  worker-seconds, peak workers, turns
              lifetimes of all workers, the most workers at a time, and how often the
              scaler changed direction; numbers
Those up to late may be followed by of KEY, for the tasks of one key. If no objective
limits shed or dropped, they must be 0. The flag -minimise takes a quantity without bound.

The search tries the default and random settings on a short beginning of the first part of
the workload, the better third of them on more of it, and so on (successive halving). Then
it varies the best ones, one parameter at a time. The same -seed gives the same result. A
violation is relative: the nearest setting is the one whose worst violation is smallest.
Settings are chosen by bounds that are stricter by -margin; those that are shown, and the exit
status, are by the bounds as given.

The first table is the Pareto front: the settings that no other one beats both in the
quantity to minimise and in that of the first objective, among those that meet the other
objectives.
  →          the choice
  min, max   the bounds on the workers, for WithWorkers
  idle       the idle timeout
  first      the quantity on the first part of the workload
  second     on the second part, which was not used to choose
  meets all  whether it meets all objectives, on the first and on the second part
The second table has the choice on both parts, each with a new manager. Below it are the
options for Start.

The exit status is 0 if the choice meets the objectives on both parts, and 1 if it does not.
`
