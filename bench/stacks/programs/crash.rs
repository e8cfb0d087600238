// Crashes in the way that its argument names.
use std::collections::HashMap;
use std::hint::black_box;

struct Node {
    value: i64,
    next: *const Node,
}

trait Sum {
    fn sum(&self, limit: i64) -> i64;
}

impl Sum for Node {
    #[inline(never)]
    fn sum(&self, limit: i64) -> i64 {
        if limit == 0 {
            return 0;
        }
        value(self) + unsafe { &*black_box(self.next) }.sum(limit - 1) + 1
    }
}

#[inline(always)]
fn value(node: *const Node) -> i64 {
    unsafe { std::ptr::read_volatile(&raw const (*node).value) }
}

#[inline(never)]
fn parse<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse::<T>().unwrap()
}

#[inline(never)]
fn index(values: &[i64], at: usize) -> i64 {
    values[at] + 1
}

#[inline(never)]
fn apply(callback: &dyn Fn(i64) -> i64) -> i64 {
    callback(black_box(7)) + 1
}

#[inline(never)]
fn endless(above: &[u8; 64]) -> u8 {
    let page = black_box([above[0]; 64]);
    endless(&page).wrapping_add(black_box(page)[1])
}

fn main() {
    let how = std::env::args().nth(1).unwrap_or_default();
    let node = Node { value: 1, next: black_box(8 as *const Node) };
    let answer = match how.as_str() {
        "null" => node.sum(3),
        "unwrap" => parse::<i64>("no number"),
        "index" => index(&[1, 2, 3], how.len()),
        "closure" => apply(&|n| node.sum(n) + n),
        "overflow" => endless(&[1; 64]) as i64,
        "map" => HashMap::from([(1, 2)])[&how.len()],
        "thread" => std::thread::spawn(move || parse::<u8>(&how) as i64).join().unwrap_or(1),
        "abort" => std::process::abort(),
        _ => 0,
    };
    println!("{answer}");
}
