package board

import "github.com/grafana/grafana-foundation-sdk/go/units"

// tasksPerSecond is the label of the axis of rates.
const tasksPerSecond = "tasks per second"

var rows = []row{
	{"Now", []panel{
		tile{
			title:       "Workers in use",
			description: "The share of the maximum of workers that run a task. At 100 %, further tasks wait. A pool without a maximum is not shown.",
			unit:        units.PercentUnit, warn: .8, alarm: .95,
			query: query{expr: sum(selected(workerCount, state+`="busy"`), pool) + " / " + sum(bounded(), pool), legend: "{{" + pool + "}}"},
		},
		tile{
			title:       "Queue",
			description: "The number of tasks that wait for a worker.",
			unit:        units.Short,
			query:       query{expr: sum(selected(queueLength), pool), legend: "{{" + pool + "}}"},
		},
		tile{
			title:       "Wait, 95th percentile",
			description: "95 % of the tasks that started waited at most this long for a worker.",
			unit:        units.Seconds, warn: 1, alarm: 10,
			query: query{expr: quantile("0.95", queueDuration, pool), legend: "{{" + pool + "}}"},
		},
		tile{
			title:       "Run time, 95th percentile",
			description: "95 % of the executions took at most this long.",
			unit:        units.Seconds,
			query:       query{expr: quantile("0.95", runDuration, pool), legend: "{{" + pool + "}}"},
		},
		tile{
			title:       "Failed tasks",
			description: "The share of the tasks that ended with a failure or exceeded a time limit, among those that succeeded or failed. Failures after which a task restarts do not count.",
			unit:        units.PercentUnit, warn: .01, alarm: .05,
			query: query{expr: share(pool), legend: "{{" + pool + "}}"},
		},
		tile{
			title:       "Shed and dropped",
			description: "Tasks that the discipline or the overflow policy gave up, in a second. No data means that there has been none.",
			unit:        units.CountsPerSecond, warn: .001, alarm: 1,
			query: query{expr: sum(rate(ends, lost), pool), legend: "{{" + pool + "}}"},
		},
	}},
	{"Workers and queue", []panel{
		chart{
			title:       "Workers",
			description: "Busy workers run a task. Idle workers wait for one. Lent workers belong to tasks that wait for other tasks. The target is the number that the scaler asks for, between the minimum and the maximum. A pool without a maximum has no line for it.",
			unit:        units.Short, axis: "workers", dashed: "/(min|max)$/",
			queries: []query{
				{expr: sum(selected(workerCount), pool+", "+state), legend: "{{" + pool + "}} {{" + state + "}}"},
				{expr: sum(selected(workerDesired), pool), legend: "{{" + pool + "}} target"},
				{expr: sum(selected(workerMin), pool), legend: "{{" + pool + "}} min"},
				{expr: sum(bounded(), pool), legend: "{{" + pool + "}} max"},
			},
		},
		chart{
			title:       "Queue length",
			description: "The number of tasks that wait for a worker, and the limit if there is one. A queue that grows all the time means that more tasks arrive than the workers finish.",
			unit:        units.Short, axis: "tasks", dashed: "/limit$/",
			queries: []query{
				{expr: sum(selected(queueLength), pool), legend: "{{" + pool + "}} queue"},
				{expr: sum(selected(queueLimit), pool), legend: "{{" + pool + "}} limit"},
			},
		},
		chart{
			title:       "Executions in progress",
			description: "The number of tasks that run now, by kind. It shows which kind occupies the workers.",
			unit:        units.Short, axis: "executions", stacked: true,
			queries: []query{{expr: sum(selected(active), kind), legend: "{{" + kind + "}}"}},
		},
		chart{
			title:       "Decisions of the scaler",
			description: "How often the scaler raised or lowered its target, in a second. Many decisions in both directions mean that the pool oscillates.",
			unit:        units.CountsPerSecond, axis: "decisions per second",
			queries: []query{{expr: sum(rate(decisions), pool+", "+direction), legend: "{{" + pool + "}} {{" + direction + "}}"}},
		},
	}},
	{"Times", []panel{
		percentiles("Wait for a worker", "How long tasks waited for a worker before an execution, by kind. The dots are exemplars, which lead to traces. Tasks that still wait are not included.", queueDuration),
		percentiles("Run time", "How long executions took, by kind, whatever their outcome. The dots are exemplars, which lead to traces. Executions in progress are not included.", runDuration),
	}},
	{"Tasks", []panel{
		chart{
			title:       "Submits",
			description: "Tasks that were accepted or refused, in a second. A submit is refused if the queue is full, the name is taken, or the manager has stopped.",
			unit:        units.CountsPerSecond, axis: tasksPerSecond,
			queries: []query{{expr: sum(rate(submissions), pool+", "+result), legend: "{{" + pool + "}} {{" + result + "}}"}},
		},
		chart{
			title:       "Ends by outcome",
			description: "Tasks that ended, in a second, by outcome. Each accepted task ends once, whether it has run or not.",
			unit:        units.CountsPerSecond, axis: tasksPerSecond, stacked: true,
			queries: []query{{expr: sum(rate(ends), outcome), legend: "{{" + outcome + "}}"}},
		},
		chart{
			title:       "Failed executions by error type",
			description: "Executions that failed, in a second, by kind and type of the error. It includes executions after which the task restarts.",
			unit:        units.CountsPerSecond, axis: "executions per second", stacked: true,
			queries: []query{{
				expr:   sum(rate(runDuration+"_count", outcome+`="failure"`), kind+", "+errorType),
				legend: "{{" + kind + "}} {{" + errorType + "}}",
			}},
		},
		chart{
			title:       "Failed tasks by kind",
			description: "The share of the tasks of a kind that ended with a failure or exceeded a time limit, among those that succeeded or failed. Failures after which a task restarts do not count.",
			unit:        units.PercentUnit, axis: "share of the tasks",
			queries: []query{{expr: share(kind), legend: "{{" + kind + "}}"}},
		},
		chart{
			title:       "Restarts",
			description: "Restarts of failed tasks, in a second, by kind and type of the error. A kind that restarts as often as it runs is in a loop.",
			unit:        units.CountsPerSecond, axis: "restarts per second", stacked: true,
			queries: []query{{expr: sum(rate(restarts), kind+", "+errorType), legend: "{{" + kind + "}} {{" + errorType + "}}"}},
		},
		chart{
			title:       "Shed and dropped tasks",
			description: "Tasks that ended without a run, in a second, by kind. The discipline sheds a task that has waited too long. The overflow policy drops a task when the queue is full. No data means that there has been none.",
			unit:        units.CountsPerSecond, axis: tasksPerSecond, stacked: true,
			queries: []query{{expr: sum(rate(ends, lost), kind+", "+outcome), legend: "{{" + kind + "}} {{" + outcome + "}}"}},
		},
	}},
}

// percentiles is a chart of the percentiles of a histogram by kind.
func percentiles(title, description, histogram string) chart {
	c := chart{title: title, description: description, unit: units.Seconds, axis: "time", dashed: "/p50$/"}
	for _, q := range []struct{ quantile, name string }{{"0.5", "p50"}, {"0.95", "p95"}, {"0.99", "p99"}} {
		c.queries = append(c.queries, query{
			expr:   quantile(q.quantile, histogram, kind),
			legend: "{{" + kind + "}} " + q.name,
			// Once is enough: the exemplars are those of the histogram, whatever the percentile.
			exemplars: q.name == "p95",
		})
	}
	return c
}
