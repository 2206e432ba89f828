// A stage of a declarative pipeline: installs devreg $version and brings about what devreg.toml declares.
// Needs: $needs.
stage('devreg bootstrap') {
    steps {
        withCredentials([$credentials]) {
            sh '''
$job
'''
        }
    }
}
