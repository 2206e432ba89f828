# fish completion for devreg: it asks devreg itself, which answers from what it knows already.
function __devreg_complete
    set -l offers (env _DEVREG_COMPLETE=fish _DEVREG_LINE=(commandline -cp | string collect) devreg 2>/dev/null)
    set -l names (string match -v :files -- $offers)
    if test (count $names) -gt 0
        printf '%s\n' $names
    else if test (count $offers) -gt 0
        __fish_complete_path (commandline -ct)
    end
end
complete --command devreg --no-files --arguments '(__devreg_complete)'
