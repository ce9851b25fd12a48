//! The service scheduler: keeps each service at its number, and moves tasks off draining instances
//! within the service's deployment limits.
//!
//! As documented for DRAINING (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>):
//! pending service tasks are stopped at once, running ones as the limits allow, tasks outside services are
//! left alone, and daemon tasks go last.

use std::collections::BTreeSet;

use super::{
    World,
    clusters::Counted,
    ecs::{Service, Start, Status},
    task::Owner,
};

const MOVED: &str = "Scaling activity initiated by (deployment ecs-svc/9223370556150183303)";

/// Container instances with room for one task: its service's tasks there, memory in use, id.
type Places = BTreeSet<(usize, u32, String)>;

impl Service {
    fn owner(&self) -> Owner {
        Owner::Service { name: self.name.clone(), daemon: self.daemon }
    }

    /// Fewest running tasks that it may have: a percentage, rounded up.
    fn floor(&self) -> usize {
        (self.tasks * self.minimum_healthy_percent).div_ceil(100)
    }

    /// Most tasks that it may have: a percentage, rounded down.
    fn ceiling(&self) -> usize {
        self.tasks * self.maximum_percent / 100
    }
}

impl World {
    /// One round over a cluster.
    pub(crate) fn schedule(&mut self, cluster: &str) {
        if self.find_cluster(cluster, self.now).is_none() {
            return;
        }
        let services = self.services_of(cluster).to_vec();
        for service in &services {
            let is_daemon = service.daemon && service.deleted_at.is_none();
            if is_daemon { self.place_daemons(service) } else { self.balance(service) }
        }
    }

    /// Starts what is missing, then stops what may go.
    fn balance(&mut self, service: &Service) {
        let now = self.now;
        let mut leaving = Vec::new();
        let mut staying = Vec::new();
        let mut running = 0;
        for member in self.members_of(&service.cluster, now) {
            let stays = member.status.latest() == Status::Active;
            for task in self.tasks_on(member, now) {
                if !task.owner.is_service(&service.name) || !task.is_wanted(now) {
                    continue;
                }
                let runs = task.last_status(now) == "RUNNING";
                running += usize::from(runs);
                let list = if stays { &mut staying } else { &mut leaving };
                list.push((task.created_at, task.id.clone(), runs));
            }
        }
        for (_, pending, _) in leaving.extract_if(.., |(_, _, runs)| !*runs) {
            self.stop_task(&pending, Some("ServiceSchedulerInitiated"), MOVED);
        }
        self.fill(service, staying.len(), leaving.len());
        let may_go = running.saturating_sub(service.floor());
        for (_, id, _) in leaving.iter().take(may_go) {
            self.stop_task(id, Some("ServiceSchedulerInitiated"), MOVED);
        }
        // After an instance went back to ACTIVE there may be more than wanted: the newest go.
        let surplus = staying.len().saturating_sub(service.tasks);
        staying.sort();
        for (_, id, _) in staying.iter().rev().take(if leaving.is_empty() { surplus } else { 0 }) {
            self.stop_task(id, Some("ServiceSchedulerInitiated"), MOVED);
        }
    }

    /// Starts the tasks that are missing, those that wait for room first; what finds none waits, if the
    /// service's tasks do.
    fn fill(&mut self, service: &Service, staying: usize, leaving: usize) {
        let mut waiting = self.waiting_of(service);
        let mut wanted = service.tasks.saturating_sub(staying);
        let mut allowed = service.ceiling().saturating_sub(staying + leaving);
        for surplus in waiting.split_off(wanted.min(waiting.len())) {
            self.stop_task(&surplus, Some("ServiceSchedulerInitiated"), MOVED);
        }
        let mut places = if wanted.min(allowed) > 0 { self.places_for(service) } else { Places::new() };
        let mut waiting = waiting.into_iter();
        while wanted > 0 && allowed > 0 {
            let Some(place) = places.pop_first() else { break };
            self.place(service, waiting.next(), place, &mut places);
            wanted -= 1;
            allowed -= 1;
        }
        let new = wanted.min(allowed).saturating_sub(waiting.len());
        for _ in 0..if service.waits { new } else { 0 } {
            let stop = self.between(service.stop);
            let id = self.create_task(&service.cluster, service.owner(), service.size, stop);
            self.count_task(&id, Counted::Pending);
            if let Some(cluster) = self.clusters.get_mut(&service.cluster) {
                cluster.waiting.push(id);
            }
        }
    }

    /// The service's tasks that wait for room, oldest first.
    fn waiting_of(&mut self, service: &Service) -> Vec<String> {
        let Some(cluster) = self.clusters.get_mut(&service.cluster) else { return Vec::new() };
        let tasks = &self.tasks;
        let task = |id: &String| tasks.get(id).filter(|task| task.placed_at.is_none() && task.stop.is_none());
        cluster.waiting.retain(|id| task(id).is_some());
        let own = cluster
            .waiting
            .iter()
            .filter(|id| task(id).is_some_and(|task| task.owner.is_service(&service.name)));
        own.cloned().collect()
    }

    /// Where a task of the service could go: where there are fewest of it first, then where most is free.
    fn places_for(&self, service: &Service) -> Places {
        let now = self.now;
        let members = self.members_of(&service.cluster, now).filter(|member| {
            member.status.latest() == Status::Active
                && member.connected.latest()
                && service.size.fits(member.size, member.used)
        });
        let places = members.map(|member| {
            let tasks = self.tasks_on(member, now);
            let own = tasks.filter(|task| task.owner.is_service(&service.name) && task.is_wanted(now));
            (own.count(), member.used.memory, member.id.clone())
        });
        places.collect()
    }

    /// Puts one task in a place: this one that waits for it, or a new one.
    fn place(
        &mut self,
        service: &Service,
        waiting: Option<String>,
        (own, _, member): (usize, u32, String),
        places: &mut Places,
    ) {
        match waiting {
            None => self.start_service_task(&member, service),
            Some(task) => {
                let times = self.start_times(service);
                self.place_task(&task, &member, times);
            }
        }
        let place = self.container_instances.get(&member);
        if let Some(place) = place.filter(|place| service.size.fits(place.size, place.used)) {
            places.insert((own + 1, place.used.memory, member));
        }
    }

    fn start_service_task(&mut self, member: &str, service: &Service) {
        let times = self.start_times(service);
        let stop = self.between(service.stop);
        let task = self.create_task(&service.cluster, service.owner(), service.size, stop);
        self.place_task(&task, member, times);
    }

    fn start_times(&mut self, service: &Service) -> Start {
        // Before its first moment has passed a World is being set up: its tasks run already.
        if self.now.is_zero() {
            return Start::default();
        }
        Start { total: self.between(service.start), activating: service.activating }
    }

    /// One daemon task on each ACTIVE instance; on a DRAINING one it stops when everything else has.
    fn place_daemons(&mut self, service: &Service) {
        let now = self.now;
        let mut starts = Vec::new();
        let mut stops = Vec::new();
        for member in self.members_of(&service.cluster, now) {
            let mut own = self.tasks_on(member, now).filter(|task| task.owner.is_service(&service.name));
            let own = own.find(|task| task.is_wanted(now));
            match (member.status.latest(), own) {
                (Status::Active, None) if member.connected.latest() => starts.push(member.id.clone()),
                (Status::Draining, Some(task)) => {
                    let mut others = self.tasks_on(member, now).filter(|other| !other.owner.is_daemon());
                    if others.all(|other| other.is_stopped(now)) {
                        stops.push(task.id.clone());
                    }
                }
                _ => {}
            }
        }
        for member in starts {
            self.start_service_task(&member, service);
        }
        for task in stops {
            self.stop_task(&task, Some("ServiceSchedulerInitiated"), MOVED);
        }
    }
}
