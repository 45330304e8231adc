//! GET /api/health - Says that the deployment is alive.
fn main() {}
