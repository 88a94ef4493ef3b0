//! Linked junctions get integer coordinates.
//!
//! Starting anywhere, the neighbour along edge k of a junction whose first direction is edge `turn` is one step in
//! lattice direction `k - turn` (right, down, left, up). Field (i, j), clockwise of the right-hand edge of corner (i, j),
//! is dark where i + j is even, because the start is turned so that its field (0, 0) is.

use super::links::Links;
use std::collections::{BTreeMap, VecDeque};

/// Junctions that hang together, by lattice coordinates.
pub(super) type Lattice = BTreeMap<(i32, i32), usize>;

/// Steps in the lattice: right, down, left, up.
pub(super) const STEPS: [(i32, i32); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// The lattices of a picture, the largest first.
pub(super) fn label(links: &Links) -> Vec<Lattice> {
    let mut taken = vec![false; links.0.len()];
    let mut lattices = Vec::new();
    // Junctions with all four neighbours are the safest places to start from.
    let mut starts: Vec<usize> = (0..links.0.len()).collect();
    starts.sort_by_key(|&junction| 4 - links.0[junction].iter().flatten().count());
    for start in starts {
        if !taken[start] && links.0[start].iter().any(Option::is_some) {
            let lattice = grow(links, start, &taken);
            for &junction in lattice.values() {
                taken[junction] = true;
            }
            lattices.push(lattice);
        }
    }
    lattices.sort_by_key(|lattice| std::cmp::Reverse(lattice.len()));
    lattices
}

/// Breadth first, so that a corner gets its coordinates over the shortest way. A link that contradicts what is known
/// already is left out, and so are junctions that disagree with more links than they agree with.
fn grow(links: &Links, start: usize, taken: &[bool]) -> Lattice {
    let mut places: BTreeMap<usize, ((i32, i32), usize)> = BTreeMap::from([(start, ((0, 0), 0))]);
    let mut lattice = Lattice::from([((0, 0), start)]);
    let mut queue = VecDeque::from([start]);
    let mut disagreements: BTreeMap<usize, i32> = BTreeMap::new();
    while let Some(junction) = queue.pop_front() {
        let ((column, row), turn) = places[&junction];
        for (edge, end) in links.0[junction].iter().enumerate() {
            let Some(end) = end.filter(|end| !taken[end.junction]) else { continue };
            let direction = (edge + 4 - turn) % 4;
            let place = (column + STEPS[direction].0, row + STEPS[direction].1);
            // Seen from there, this edge leads back, in direction + 2.
            let its_turn = (end.edge + 4 - (direction + 2) % 4) % 4;
            match (places.get(&end.junction), lattice.get(&place)) {
                (Some(known), _) => {
                    let vote = if *known == (place, its_turn) { -1 } else { 1 };
                    *disagreements.entry(end.junction).or_default() += vote;
                }
                (None, Some(&other)) => *disagreements.entry(other).or_default() += 1,
                (None, None) => {
                    places.insert(end.junction, (place, its_turn));
                    lattice.insert(place, end.junction);
                    queue.push_back(end.junction);
                }
            }
        }
    }
    lattice.retain(|_, junction| disagreements.get(junction).is_none_or(|&votes| votes <= 0));
    lattice
}

/// Columns and rows of the smallest rectangle around a lattice, and its first column and row.
pub(super) fn bounds(lattice: &Lattice) -> ((i32, i32), (i32, i32)) {
    let columns = || lattice.keys().map(|place| place.0);
    let rows = || lattice.keys().map(|place| place.1);
    let first = (columns().min().unwrap_or_default(), rows().min().unwrap_or_default());
    let last = (columns().max().unwrap_or(-1), rows().max().unwrap_or(-1));
    (first, (last.0 - first.0 + 1, last.1 - first.1 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::links::End;

    /// Links of a grid whose junctions are all turned differently.
    fn grid(columns: usize, rows: usize) -> Links {
        let turn = |column: usize, row: usize| (column + row) % 2 + 2 * (column % 2);
        let mut links = vec![[None; 4]; columns * rows];
        for row in 0..rows {
            for column in 0..columns {
                for (direction, step) in STEPS.iter().enumerate() {
                    let (x, y) = (column as i32 + step.0, row as i32 + step.1);
                    if (0..columns as i32).contains(&x) && (0..rows as i32).contains(&y) {
                        let (x, y) = (x as usize, y as usize);
                        let edge = (direction + 2 + turn(x, y)) % 4;
                        let end = End { junction: y * columns + x, edge };
                        links[row * columns + column][(direction + turn(column, row)) % 4] = Some(end);
                    }
                }
            }
        }
        Links(links)
    }

    #[test]
    fn a_grid_gets_its_coordinates_back() {
        let lattices = label(&grid(5, 4));
        assert_eq!((lattices.len(), lattices[0].len()), (1, 20));
        let (first, (columns, rows)) = bounds(&lattices[0]);
        let size = if columns == 5 { (5, 4) } else { (4, 5) };
        assert_eq!((columns, rows), size);
        let numbers: Vec<usize> = (0..columns).map(|i| lattices[0][&(first.0 + i, first.1)]).collect();
        let steps: Vec<i32> = numbers.windows(2).map(|pair| pair[1] as i32 - pair[0] as i32).collect();
        assert!(steps.windows(2).all(|pair| pair[0] == pair[1]), "{numbers:?}");
    }

    #[test]
    fn a_wrong_link_costs_no_coordinates() {
        let mut links = grid(5, 4);
        // A false junction that claims to be the neighbour of 19.
        links.0.push([None; 4]);
        let free = links.0[19].iter().position(Option::is_none).unwrap();
        links.0[19][free] = Some(End { junction: 20, edge: 0 });
        links.0[20][0] = Some(End { junction: 19, edge: free });
        let lattice = &label(&links)[0];
        assert!((0..20).all(|junction| lattice.values().any(|&labelled| labelled == junction)));
    }
}
