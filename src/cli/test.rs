//! `sglab test`.
use super::Exit;
use super::arguments::TestArguments;
use super::{host, sources};
pub(super) fn run(a: TestArguments) -> anyhow::Result<Exit> {
    let read = sources::read(&a.topologies)?;
    for problems in &read.problems {
        eprint!("{problems}");
    }
    let Some(_s) = host::enter() else { return Ok(Exit::CannotHost) };
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for t in &read.topologies {
        for era in &t.eras {
            let r = rt.block_on(sglab::scenario::run(t, *era, &Default::default(), &mut |_| {}));
            match r {
                Ok(r) => {
                    println!(
                        "{} {} {:?} boot {:?} took {:?} {:?}",
                        t.name, era, r.verdict, r.head.boot, r.took, r.counts
                    );
                    for s in &r.steps {
                        println!(
                            "  {} {:?} {} {:?} {:?} in force {:?}",
                            s.number, s.status, s.name, s.counts, s.took, s.in_force
                        );
                        for w in s.wrong.iter().take(5) {
                            println!("     {w:?}");
                        }
                        for f in &s.findings {
                            println!("    {f:?}");
                        }
                    }
                }
                Err(e) => println!("{e}"),
            }
        }
    }
    Ok(Exit::Ok)
}
