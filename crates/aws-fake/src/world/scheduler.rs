//! The service scheduler: keeps each service at its number, and moves tasks off draining instances
//! within the service's deployment limits.
//!
//! As documented for DRAINING (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>):
//! pending service tasks are stopped at once, running ones as the limits allow, tasks outside services are
//! left alone, and daemon tasks go last.

use std::{collections::BTreeSet, time::Duration};

use super::{
    World,
    ecs::{Service, Status},
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
        let services = self.services.iter().filter(|service| service.cluster == cluster);
        let services: Vec<Service> = services.cloned().collect();
        for service in &services {
            if service.daemon { self.place_daemons(service) } else { self.balance(service) }
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
        let mut wanted = service.tasks.saturating_sub(staying.len());
        let mut allowed = service.ceiling().saturating_sub(staying.len() + leaving.len());
        let mut places = if wanted.min(allowed) > 0 { self.places_for(service) } else { Places::new() };
        while wanted > 0 && allowed > 0 && self.place(service, &mut places) {
            wanted -= 1;
            allowed -= 1;
        }
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

    /// Starts one task in the best place; false when it fits nowhere.
    fn place(&mut self, service: &Service, places: &mut Places) -> bool {
        let Some((own, _, id)) = places.pop_first() else { return false };
        self.start_service_task(&id, service);
        let place = self.container_instances.get(&id);
        if let Some(place) = place.filter(|place| service.size.fits(place.size, place.used)) {
            places.insert((own + 1, place.used.memory, id));
        }
        true
    }

    fn start_service_task(&mut self, member: &str, service: &Service) {
        // Before its first moment has passed a World is being set up: its tasks run already.
        let start = if self.now.is_zero() { Duration::ZERO } else { self.between(service.start) };
        let stop = self.between(service.stop);
        self.start_task(member, service.owner(), service.size, start, stop);
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
