//! The stages of the work, over sizes and covariance forms: one EM pass, densities, k-means start, a whole small fit, a search.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gmm_benches::Workload;
use gmm_core::CovarianceType;
use gmm_em::{Em, Initialization};
use gmm_select::Search;

/// Common sizes: few and many features, few and many components, every form.
fn workloads() -> Vec<Workload> {
    let full = |n_samples, n_features, n_components| Workload {
        n_samples,
        n_features,
        n_components,
        form: CovarianceType::Full,
    };
    let mut all = vec![
        full(100_000, 2, 8),
        full(50_000, 8, 8),
        full(20_000, 16, 16),
        full(5_000, 64, 8),
    ];
    all.extend(
        CovarianceType::ALL
            .into_iter()
            .skip(1)
            .map(|form| Workload {
                form,
                ..full(20_000, 16, 16)
            }),
    );
    all
}

fn em_pass(c: &mut Criterion) {
    let mut group = c.benchmark_group("em_pass");
    group.sample_size(20);
    for workload in workloads() {
        let x = workload.data();
        let model = workload.start(&x);
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        group.bench_function(BenchmarkId::from_parameter(workload.name()), |b| {
            b.iter(|| black_box(workload.pass(&x, &model)));
        });
    }
    group.finish();
}

fn log_density(c: &mut Criterion) {
    let mut group = c.benchmark_group("log_density");
    group.sample_size(20);
    for workload in workloads() {
        let x = workload.data();
        let model = workload.start(&x);
        group.throughput(Throughput::Elements(workload.n_samples as u64));
        group.bench_function(BenchmarkId::from_parameter(workload.name()), |b| {
            b.iter(|| black_box(model.log_density(&x)));
        });
    }
    group.finish();
}

fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("start");
    group.sample_size(10);
    let workload = workloads()[2];
    let x = workload.data();
    for initialization in Initialization::ALL {
        let em = Em::new(workload.n_components)
            .initialization(initialization)
            .max_iterations(0);
        group.bench_function(initialization.name(), |b| b.iter(|| black_box(em.fit(&x))));
    }
    group.finish();
}

fn small_fit(c: &mut Criterion) {
    let x = gmm_testkit::data::separated(3, 150, 4, 3).x;
    c.bench_function("fit/n=150/d=4/k=3", |b| {
        b.iter(|| black_box(Em::new(3).fit(&x)))
    });
    c.bench_function("search/n=150/d=4/k=1..9/4 forms/8 starts", |b| {
        b.iter(|| black_box(Search::over(1..=9).run(&x)));
    });
}

criterion_group!(stages, em_pass, log_density, start, small_fit);
criterion_main!(stages);
