// The pages by their names in addresses. Those with a label are in the menu, in this order.
import * as clusterOverview from './pages/cluster.js';
import * as clusterTasks from './pages/clustertasks.js';
import * as dead from './pages/dead.js';
import * as failures from './pages/failures.js';
import * as keys from './pages/keys.js';
import * as kinds from './pages/kinds.js';
import * as overview from './pages/overview.js';
import * as queue from './pages/queue.js';
import * as scaling from './pages/scaling.js';
import * as schedules from './pages/schedules.js';
import * as task from './pages/task.js';
import * as tasks from './pages/tasks.js';
import * as workers from './pages/workers.js';
import { cluster } from './state.js';

// every is the number of seconds after which the data of a page are loaded again.
const ofManagers = {
  overview: { ...overview, label: 'Overview', every: 3 },
  tasks: { ...tasks, label: 'Tasks', every: 2 },
  workers: { ...workers, label: 'Workers', every: 2 },
  queue: { ...queue, label: 'Queue', every: 2 },
  keys: { ...keys, label: 'Keys', every: 3 },
  kinds: { ...kinds, label: 'Kinds', every: 3 },
  failures: { ...failures, label: 'Failures', every: 3 },
  schedules: { ...schedules, label: 'Schedules', every: 3 },
  scaling: { ...scaling, label: 'Scaling', every: 3 },
  task: { ...task, label: '', every: 1 },
};

const ofClusters = {
  overview: { ...clusterOverview, label: 'Overview', every: 2 },
  tasks: { ...clusterTasks, label: 'Tasks', every: 3 },
  dead: { ...dead, label: 'Dead letters', every: 3 },
};

// pages are those of what is on show, a manager or a cluster.
export const pages = () => (cluster() ? ofClusters : ofManagers);

// menu returns the names of the pages in the menu. The digit keys open them.
export const menu = () => Object.keys(pages()).filter(name => pages()[name].label);
